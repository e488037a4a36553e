# One image for every program; docker-compose.yml and deploy/kubernetes start them.
FROM python:3.12-slim AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/python -m pip install --requirement requirements.txt

FROM python:3.12-slim

# pg_dump and pg_restore, for manage.py backup and restore.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 app \
    && useradd --uid 10001 --gid 10001 --create-home app

ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
# The key is for this step alone; the folders take the owner of what is mounted over them.
RUN DJANGO_ENV=production \
        SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
        python manage.py collectstatic --noinput --verbosity 0 \
    && rm -rf var logs \
    && install --directory --owner=app --group=app --mode=700 var logs backups

USER 10001:10001
EXPOSE 8000
# That of the web server; docker-compose.yml has those of the others.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD \
    ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=3)"]
CMD ["python", "-m", "data_warehouse.web", "--listen", "0.0.0.0:8000"]
