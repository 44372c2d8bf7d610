"""What every test may use."""

import atexit
import os
import shutil
import tempfile

# Before Django reads its settings: the tests keep their data in a directory of their own.
_data = tempfile.mkdtemp(prefix="bucky-test-")
atexit.register(shutil.rmtree, _data, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith("BUCKY_")]:
    del os.environ[_name]
os.environ["BUCKY_DATA"] = _data
os.environ["DJANGO_SETTINGS_MODULE"] = "ris.settings"

import django  # noqa: E402

django.setup()
