"""Every credential that a program can show comes here: tokens of both issuers, and API keys."""

from __future__ import annotations

from dataclasses import dataclass

from mediaflow.domain.errors import Unauthenticated
from mediaflow.services.access.api_keys import PREFIX, ApiKeys
from mediaflow.services.access.jwt_form import opened
from mediaflow.services.access.principals import Principal
from mediaflow.services.access.tokens import OutsideTokens, Tokens


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who shows what. `outside` is None where no outside issuer is configured."""

    tokens: Tokens
    outside: OutsideTokens | None
    api_keys: ApiKeys

    def verify(self, text: str) -> Principal:
        """Whose credential it is; Unauthenticated when it can't be trusted."""
        return self.api_keys.verify(text) if text.startswith(PREFIX) else self.read_token(text)[0]

    def read_token(self, text: str) -> tuple[Principal, float]:
        """Whose token it is, and when it ends. An API key is refused: what may only last as long as it can't be."""
        if text.startswith(PREFIX):
            raise Unauthenticated(
                "API keys are for programs and open no session; sign in with a token or a login link.",
                code="auth.bad_token",
            )
        token = opened(text)
        if self.outside is not None and token.claims.get("iss") == self.outside.issuer:
            return self.outside.read(token)
        return self.tokens.read(token)
