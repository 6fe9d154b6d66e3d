"""What a vendor answered: the part with the data, beside the bytes that it came in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec

from tributary.channels.payloads import slices
from tributary.http import BrokenResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """The `data` of one answer, beside the bytes it came in."""

    flaw: str | None
    """Why jsonb would refuse something in it, if so; `clean` is then the body without that, else the body itself."""
    data: msgspec.Raw = field(repr=False)
    clean: bytes = field(repr=False)
    body: bytes = field(repr=False)
    where: str

    def read(self, decoder: msgspec.json.Decoder[T]) -> T:
        """The data in the shape that was asked for."""
        try:
            return decoder.decode(self.data)
        except msgspec.DecodeError as error:
            raise BrokenResponse(f"The answer does not fit the query: {error}", where=self.where) from None

    def slices(self, values: Iterable[msgspec.Raw]) -> Iterator[bytes]:
        """The vendor's own bytes of values that were read from the data, in their order."""
        return slices(self.body, self.clean, values)
