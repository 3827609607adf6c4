"""The folder that tests of comparisons share."""

from pathlib import Path

import pytest

from tests.compare.laboratory import Laboratory


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path)
