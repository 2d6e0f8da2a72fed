"""A sampler with the real timer, and work of a known shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from relive_profiler.record import Sampler


@pytest.fixture
def make_sampler() -> Iterator[Callable[..., Sampler]]:
    made: list[Sampler] = []

    def make(profile: str = "sampled", **options: object) -> Sampler:
        sampler = Sampler(profile, source=__file__.rsplit("/", 1)[0], **options)  # type: ignore[arg-type]
        made.append(sampler)
        return sampler

    yield make
    for sampler in made:
        sampler.stop()
        sampler.close()
