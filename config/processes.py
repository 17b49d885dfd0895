"""The processes the program consists of, as command lines: the same in the demo and in docker-compose.yml."""

# The address to listen on comes from the environment (GUNICORN_CMD_ARGS), because it alone differs.
WEB = ["gunicorn", "config.wsgi", "--worker-class=gthread", "--workers=2", "--threads=8", "--no-control-socket"]
WORKER = ["celery", "--app=config", "worker", "--concurrency=2", "--loglevel=info"]
# A schedule in memory: what is due follows from the database, so beat has nothing to remember.
BEAT = ["celery", "--app=config", "beat", "--scheduler=celery.beat.Scheduler", "--loglevel=info"]
MIGRATE = ["python", "manage.py", "migrate", "--no-input"]
