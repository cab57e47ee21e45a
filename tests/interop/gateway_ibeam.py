"""ibeam's own HTTP checks against `ibkr-oauth gateway` in front of `ibkr-oauth simulate`: its `HttpHandler`, unmodified, with its
own routes. What it does beside them, a login in a browser, has nothing to do any more.

    PYTHONPATH=where/ibeam/is python tests/interop/gateway_ibeam.py target/debug/ibkr-oauth
"""

import json
import sys
import time
import urllib.request
from types import SimpleNamespace

from gateway import gateway
from simulated import unexpected


def main() -> None:
    from ibeam.src import var
    from ibeam.src.handlers.http_handler import HttpHandler

    with gateway(sys.argv[1]) as (running, log):

        def handler(valid_certificates: bool) -> HttpHandler:
            inputs = SimpleNamespace(valid_certificates=valid_certificates, cacert_pem_path=running.certificate)
            return HttpHandler(
                inputs_handler=inputs,
                base_url=running.url,
                route_validate=var.ROUTE_VALIDATE,
                route_tickle=var.ROUTE_TICKLE,
                route_logout=var.ROUTE_LOGOUT,
                route_reauthenticate=var.ROUTE_REAUTHENTICATE,
                route_initialise=var.ROUTE_INITIALISE,
                request_timeout=30,
            )

        # With the gateway's certificate in the place of ibeam's own, too.
        for ibeam in (handler(False), handler(True)):
            base = ibeam.base_route()
            assert base.running and base.session, base
            status = ibeam.get_status()
            assert status.parsed_status == "AUTHENTICATED", status
            assert status.session_id and status.server_name == "simulator" and status.expires > 3_600_000, status
            assert ibeam.validate() is True
            assert json.load(ibeam.initialise())["authenticated"] is True
            assert json.load(ibeam.reauthenticate()) == {"message": "triggered"}
            assert ibeam.logout().read().decode() == '{"status":true}'
            assert ibeam.get_status().parsed_status == "AUTHENTICATED", "it ends nobody's session"
        page = ibeam.url_request(running.url + var.ROUTE_AUTH).read().decode()
        assert var.SUCCESS_EL_TEXT.split("@@")[-1] in page, page

        # Another session takes over: ibeam sees it, and that it comes back.
        def act(name: str) -> None:
            body = json.dumps({"action": name}).encode()
            urllib.request.urlopen(f"{running.broker}/__simulator/faults", body, timeout=30).read()

        act("start-competing-session")
        # An answer is served again for a second.
        for _ in range(50):
            seen = ibeam.get_status()
            if seen.competing:
                break
            time.sleep(0.1)
        assert seen.competing and not seen.authenticated, seen
        act("end-competing-session")
        assert json.load(ibeam.initialise())["authenticated"] is True
    assert unexpected(log) == [], log
    print("ibeam saw a login, a tickle, a validation, an opening and a logout as it knows them")


main()
