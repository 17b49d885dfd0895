FROM python:3.11-slim-bookworm AS build
COPY requirements.txt .
# Wheels alone: nothing is compiled here, so the image needs no compiler and no headers.
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: -r requirements.txt

FROM python:3.11-slim-bookworm
# PYTHONTZPATH: the zone data of requirements.txt, not the base image's.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONTZPATH="" \
    STATIC_MANIFEST=true \
    GUNICORN_CMD_ARGS="--bind=0.0.0.0:8000 --worker-tmp-dir=/dev/shm"
RUN useradd --system --no-create-home --shell /usr/sbin/nologin course
WORKDIR /app
COPY --from=build /venv /venv
COPY . .
# This key signs nothing: it lives for one command.
RUN python -m compileall -q . && SECRET_KEY=only-to-collect-static-files python manage.py collectstatic --no-input
USER course
EXPOSE 8000
CMD ["gunicorn", "config.wsgi", "--worker-class=gthread", "--workers=2", "--threads=8", "--no-control-socket"]
