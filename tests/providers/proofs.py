"""The URLs that carriers are given which do not sign them, made as docs/carriers.md says and not as relay does it."""

import hmac
from base64 import urlsafe_b64encode


def proof(url: str, secret: str) -> str:
    return urlsafe_b64encode(hmac.new(secret.encode(), url.encode(), "sha256").digest()).decode().rstrip("=")


def proven(url: str, secret: str) -> str:
    """With its proof, which stands before a query."""
    path, mark, query = url.partition("?")
    return f"{path}/{proof(url, secret)}{mark}{query}"
