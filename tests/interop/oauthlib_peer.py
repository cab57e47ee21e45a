"""oauthlib's own functions, asked by `requests.rs`: nothing of OAuth is computed here."""

import binascii
from types import SimpleNamespace
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from oauthlib.oauth1 import Client
from oauthlib.oauth1.rfc5849 import signature
from oauthlib.oauth1.rfc5849.utils import parse_authorization_header, unescape

from lines import serve


def received(method, url, authorization, form):
    """A request as a server sees it, ready for oauthlib's `verify_…`."""
    header = dict(parse_authorization_header(authorization))
    return SimpleNamespace(
        http_method=method,
        uri=url,
        signature=unescape(header["oauth_signature"]),
        params=signature.collect_parameters(
            uri_query=urlsplit(url).query, body=form, headers={"Authorization": authorization}
        ),
    )


def base_string(request):
    return signature.signature_base_string(
        request.http_method,
        signature.base_string_uri(request.uri),
        signature.normalize_parameters(request.params),
    )


def verify_hmac(method, url, authorization, form, client_secret, token_secret):
    request = received(method, url, authorization, form)
    return {
        "verified": signature.verify_hmac_sha256(request, client_secret, token_secret),
        "base_string": base_string(request),
    }


def verify_rsa(method, url, authorization, form, public_key, prepend):
    request = received(method, url, authorization, form)
    if not prepend:
        return {
            "verified": signature.verify_rsa_sha256(request, public_key),
            "base_string": base_string(request),
        }
    # The broker's own addition: the opened secret stands before the base string. oauthlib knows nothing of it.
    key = serialization.load_pem_public_key(public_key.encode())
    message = (prepend + base_string(request)).encode()
    try:
        key.verify(binascii.a2b_base64(request.signature), message, padding.PKCS1v15(), hashes.SHA256())
        verified = True
    except InvalidSignature:
        verified = False
    return {"verified": verified, "base_string": base_string(request)}


def sign(method, url, form, client):
    headers = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
    url, headers, body = Client(**client).sign(url, method, form, headers)
    return {"url": url, "authorization": headers["Authorization"], "form": body}


serve({"verify_hmac": verify_hmac, "verify_rsa": verify_rsa, "sign": sign})
