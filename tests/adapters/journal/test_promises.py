"""What the journal promises, whatever its disk does; and that these checks would notice a journal that does not."""

import pytest

from support.journals import CHECKS


# Some thousand short lives, each on a disk.
@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
async def test_promise(check, tmp_path):
    await check(tmp_path)
