"""Production's web server: `gunicorn -c gunicorn.conf.py wsgi:app`. The settings are the environment's, MEDIAFLOW_*."""

from mediaflow.serving import gunicorn_settings, settings_or_exit

globals().update(gunicorn_settings(settings_or_exit()))
