"""Static tokens from a CSV file: token, user name, user uid and, optionally, groups in one quoted column.

Source: apiserver pkg/authentication/token/tokenfile.
"""

import csv
import io
from collections.abc import Collection

from kubepy.apiserver.authn.base import Authenticated
from kubepy.apiserver.authn.user import UserInfo

_COLUMNS = 3


class TokenFile:
    """Authenticates by the tokens of a parsed file."""

    def __init__(self, users: dict[str, UserInfo]) -> None:
        self._users = users

    def authenticate_token(self, token: str, audiences: Collection[str]) -> Authenticated | None:
        """The user of a token that the file lists."""
        user = self._users.get(token)
        return Authenticated(user) if user else None


def parse_token_file(text: str) -> dict[str, UserInfo]:
    """Users by token. Raises ValueError with the line of a record that is too short."""
    users: dict[str, UserInfo] = {}
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    for record in reader:
        if not record or not record[0].strip():
            continue
        if len(record) < _COLUMNS:
            raise ValueError(
                f"line {reader.line_num}: token file must have at least 3 columns (token, user name, user uid), "
                f"found {len(record)}"
            )
        groups = tuple(group.strip() for group in record[3].split(",") if group.strip()) if len(record) > 3 else ()
        users[record[0].strip()] = UserInfo(record[1].strip(), record[2].strip(), groups)
    return users
