"""Errors that people see: what was wrong, where, what was expected and what to do, with a stable code."""

from __future__ import annotations

from typing import Any


class EvenkeelError(Exception):
    """A refusal with a code for machines, words for people and an HTTP status.

    `detail` says what was wrong and where; `remedy` says what to do about it.
    """

    status = 400

    def __init__(self, code: str, detail: str, remedy: str = "", **where: Any) -> None:
        super().__init__(f"{detail}. {remedy}" if remedy else detail)
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.where = where


class SetUpError(EvenkeelError):
    """The service cannot start."""

    status = 500


class NotSignedInError(EvenkeelError):
    """No valid token."""

    status = 401


class ForbiddenError(EvenkeelError):
    """The caller may not do this."""

    status = 403


class NotFoundError(EvenkeelError):
    """There is no such thing, or the caller may not know of it."""

    status = 404


class ConflictError(EvenkeelError):
    """The state of things does not admit it (any more)."""

    status = 409


class InFlightError(ConflictError):
    """The same request is being carried out at this moment."""

    def __init__(self, code: str, detail: str, remedy: str, *, retry_after_seconds: int) -> None:
        super().__init__(code, detail, remedy)
        self.retry_after_seconds = retry_after_seconds


class InvalidError(EvenkeelError):
    """What was sent does not make sense."""

    status = 422


class TooManyError(EvenkeelError):
    """The caller has asked for more than one caller may at a time."""

    status = 429

    def __init__(self, code: str, detail: str, remedy: str, *, retry_after_seconds: int) -> None:
        super().__init__(code, detail, remedy)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(EvenkeelError):
    """Something that is needed does not answer."""

    status = 503
