# One image for web, worker, beat and migrate; docker-compose.yml starts them.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
RUN useradd --create-home app
WORKDIR /app

COPY requirements.txt .
RUN python -m pip install --requirement requirements.txt

COPY . .
RUN DJANGO_ENV=production \
        SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
        python manage.py collectstatic --noinput --verbosity 0 \
    && mkdir -p var logs && chmod 700 var && chown -R app var logs

USER app
EXPOSE 8000
CMD ["python", "-m", "data_warehouse.web", "--listen", "0.0.0.0:8000"]
