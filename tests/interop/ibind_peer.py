"""ibind's own functions, asked by `agreements.rs`: nothing of the protocol is computed here."""

import hashlib
import os

# Before the import, which would otherwise make a directory for logs.
os.environ["IBIND_LOG_TO_FILE"] = "False"
os.environ["IBIND_LOG_TO_CONSOLE"] = "False"

from Crypto.PublicKey import RSA
from cryptography.hazmat.primitives.serialization import load_pem_parameters
from ibind.oauth import oauth1a

from lines import serve


def parameters(pem):
    """Modulus and generator of PEM parameters, read by OpenSSL."""
    numbers = load_pem_parameters(pem.encode()).parameter_numbers()
    return {"prime": hex(numbers.p)[2:], "generator": numbers.g}


def agree(prime, generator, random, response, secret, consumer_key, proof):
    """A key agreement: challenge, K, live session token, and whether ibind takes the proof."""
    shared = pow(int(response, 16), int(random, 16), int(prime, 16))
    token = oauth1a.calculate_live_session_token(prime, random, response, secret)
    return {
        "challenge": oauth1a.generate_dh_challenge(prime, random, generator),
        "shared_secret": bytes(oauth1a.to_byte_array(shared)).hex(),
        "live_session_token": token,
        "proof_is_taken": oauth1a.validate_live_session_token(token, proof, consumer_key),
    }


def seeded(seed):
    """Random bytes that are the same for the same seed: a hash of a counter."""
    stream = {"counter": 0, "bytes": b""}

    def read(count):
        while len(stream["bytes"]) < count:
            block = f"{seed}:{stream['counter']}".encode()
            stream["bytes"] += hashlib.sha256(block).digest()
            stream["counter"] += 1
        taken, stream["bytes"] = stream["bytes"][:count], stream["bytes"][count:]
        return taken

    return read


def make_key(seed, bits):
    """A random key, in both forms that a user may have, and its public half."""
    key = RSA.generate(bits, randfunc=seeded(seed))
    return {
        "pkcs1": key.export_key(pkcs=1).decode(),
        "pkcs8": key.export_key(pkcs=8).decode(),
        "public": key.public_key().export_key().decode(),
    }


def sign(message, private_key):
    key = oauth1a.read_private_key(private_key_content=private_key)
    return oauth1a.generate_rsa_sha_256_signature(message, key)


def open_secret(encrypted, private_key):
    key = oauth1a.read_private_key(private_key_content=private_key)
    return oauth1a.calculate_live_session_token_prepend(encrypted, key)


def config_of(config):
    return oauth1a.OAuth1aConfig(**config)


def request_token(config, url):
    """The request for a live session token as ibind makes it."""
    config = config_of(config)
    prepend, extra_headers, dh_random = oauth1a.prepare_oauth(config)
    headers = oauth1a.generate_oauth_headers(
        oauth_config=config,
        request_method="POST",
        request_url=url,
        extra_headers=extra_headers,
        signature_method="RSA-SHA256",
        prepend=prepend,
    )
    return {"authorization": headers["Authorization"], "prepend": prepend, "random": dh_random}


def finish(config, prepend, random, reply):
    """The live session token from the broker's reply, if ibind takes the proof."""
    config = config_of(config)
    token = oauth1a.calculate_live_session_token(
        config.dh_prime, random, reply["diffie_hellman_response"], prepend
    )
    if not oauth1a.validate_live_session_token(token, reply["live_session_token_signature"], config.consumer_key):
        raise ValueError("ibind refuses the proof")
    return token


def sign_protected(config, method, url, token, parameters):
    headers = oauth1a.generate_oauth_headers(
        oauth_config=config_of(config),
        request_method=method,
        request_url=url,
        live_session_token=token,
        request_params=parameters,
    )
    return headers["Authorization"]


def base_string(method, url, oauth_parameters, parameters):
    return oauth1a.generate_base_string(method, url, oauth_parameters, request_params=parameters)


def sign_hmac(message, token):
    return oauth1a.generate_hmac_sha_256_signature(message, token)


serve({
    "parameters": parameters,
    "agree": agree,
    "make_key": make_key,
    "sign": sign,
    "open_secret": open_secret,
    "request_token": request_token,
    "finish": finish,
    "sign_protected": sign_protected,
    "base_string": base_string,
    "sign_hmac": sign_hmac,
})
