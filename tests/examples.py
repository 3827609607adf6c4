"""How many inputs the property tests generate: SEQ2ATTN_EXAMPLES of each, if it is set."""

import os

from hypothesis import HealthCheck, settings


def examples(number: int) -> settings:
    """Settings of a property test that generates `number` inputs, and keeps fixtures from one to the next."""
    return settings(
        max_examples=int(os.environ.get("SEQ2ATTN_EXAMPLES", number)),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
