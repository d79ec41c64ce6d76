"""An outside issuer of tokens: a real HTTP server with a JWKS, keys that can be rotated, and bad manners on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

NAME = "https://issuer.example/"
AUDIENCE = "media"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Manners = Callable[[BaseHTTPRequestHandler, bytes], None]


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key for each name: making them takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(name: str, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


def public_jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    """The public half as a JWK, with `members` (a `kid`) in it."""
    public: Any = key.public_key()
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    document: dict[str, Any] = json.loads(algorithm.to_jwk(public))
    return document | members


def politely(request: BaseHTTPRequestHandler, document: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/jwk-set+json")
    request.send_header("Content-Length", str(len(document)))
    request.end_headers()
    request.wfile.write(document)


@dataclass
class Issuer:
    """What is published is `jwks`; `asked` are the paths of all requests so far."""

    url: str = ""
    jwks: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    manners: Manners = politely

    def publish(self, **keys: PrivateKey) -> None:
        """Publish these keys, by id, and no others."""
        self.jwks = [public_jwk(key, kid=name, use="sig") for name, key in keys.items()]

    def mint(self, key: PrivateKey, kid: str, **claims: Any) -> str:
        """A token as this issuer makes them, but for `claims`; one that is None is left out."""
        return jwt.encode(usual_claims(**claims), key, algorithm=algorithm_of(key), headers={"kid": kid})


def algorithm_of(key: PrivateKey) -> str:
    return "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"


def usual_claims(**claims: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {"sub": "ann", "iss": NAME, "aud": AUDIENCE, "iat": now, "exp": now + 3600}
    return {name: value for name, value in (usual | claims).items() if value is not None}


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """The issuer, on a free port."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            try:
                issuer.manners(self, json.dumps({"keys": issuer.jwks}).encode())
            except OSError:  # the client has gone, which some manners make it do
                self.close_connection = True

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: pytest's output is for failures."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    issuer.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
