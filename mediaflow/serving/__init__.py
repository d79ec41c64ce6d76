"""The web server: gunicorn, with a worker that holds slow and waiting connections without threads.

What was tried for it, and what each holds, is in the README ("Many connections").
"""

from mediaflow.serving.configuration import BOOT_FAILED, gunicorn_settings, run, settings_or_exit
from mediaflow.serving.hooks import CLOSE
from mediaflow.serving.pauses import Pause
from mediaflow.serving.wire import INTERIM, PACE, Pace

__all__ = ["BOOT_FAILED", "CLOSE", "INTERIM", "PACE", "Pace", "Pause", "gunicorn_settings", "run", "settings_or_exit"]
