"""Clients by other people, as they come from PyPI, made of a bundle of the simulator's."""

import base64
import os
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")


def der_integers(pem: str) -> list[int]:
    """The integers of the one sequence in a PEM text."""
    der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))

    def element(at: int) -> tuple[int, int, int]:
        tag, length, at = der[at], der[at + 1], at + 2
        if length >= 0x80:
            size = length - 0x80
            length, at = int.from_bytes(der[at : at + size], "big"), at + size
        return tag, at, at + length

    tag, at, end = element(0)
    assert tag == 0x30
    numbers = []
    while at < end:
        tag, start, at = element(at)
        assert tag == 0x02
        numbers.append(int.from_bytes(der[start:at], "big", signed=True))
    return numbers


def ibind(bundle: dict):
    """A client of `ibind`, which has signed in."""
    os.environ.update(IBIND_LOG_TO_FILE="False", IBIND_LOGS_DIR=tempfile.gettempdir())
    # Only now, since ibind reads its settings when it is loaded.
    from ibind import IbkrClient
    from ibind.oauth.oauth1a import OAuth1aConfig

    prime, generator = der_integers(bundle["dh_params"])
    assert prime > 0, "a prime that other programs take for a negative number"
    assert int(bundle["dh_prime"], 16) == prime
    config = OAuth1aConfig(
        oauth_rest_url=bundle["base_url"] + "/",
        access_token=bundle["access_token"],
        access_token_secret=bundle["access_token_secret"],
        consumer_key=bundle["consumer_key"],
        dh_prime=bundle["dh_prime"],
        dh_generator=generator,
        signature_key=bundle["signature_key"],
        encryption_key=bundle["encryption_key"],
        realm=bundle["realm"],
        maintain_oauth=False,
        init_brokerage_session=False,
        shutdown_oauth=False,
    )
    # The constructor negotiates and raises where the proof does not fit.
    return IbkrClient(use_oauth=True, oauth_config=config, auto_register_shutdown=False)


def pybkr(bundle: dict, folder: str):
    """A session of `pybkr`, whose keys are written into the folder."""
    from pybkr.user_session import UserSession

    def written(name: str, text: str) -> str:
        path = Path(folder, name)
        path.write_text(text)
        return str(path)

    return UserSession(
        config={
            "consumer_key": bundle["consumer_key"],
            "access_token": bundle["access_token"],
            "token_secret": bundle["access_token_secret"],
            "base_url": bundle["base_url"].removesuffix("v1/api"),
            "realm": bundle["realm"],
            "dhparam_path": written("dhparam.pem", bundle["dh_params"]),
            "private_encryption_path": written("private_encryption.pem", bundle["encryption_key"]),
            "private_signature_path": written("private_signature.pem", bundle["signature_key"]),
        }
    )
