# A broker in a container: docs/containers.md says how to run it and how clients reach it.
#
#   docker build -t fleuve .
#   docker run -p 9092:9092 -v fleuve-data:/var/lib/fleuve fleuve

ARG PYTHON_VERSION=3.13

FROM docker.io/library/python:${PYTHON_VERSION}-slim AS build

COPY requirements/run.txt /build/requirements/
# Wheels only, with hashes: nothing is compiled here, on any architecture. The environment itself gets no pip.
RUN python -m venv --without-pip /opt/fleuve \
 && python -m pip --python /opt/fleuve/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r /build/requirements/run.txt

COPY pyproject.toml README.md LICENSE /build/
COPY src /build/src
COPY packaging/container/entrypoint.sh /opt/fleuve/bin/fleuve-entrypoint
COPY packaging/container/healthcheck.py /opt/fleuve/bin/fleuve-healthcheck
RUN python -m pip --python /opt/fleuve/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
        --no-deps --no-build-isolation /build \
 && python -m pip --python /opt/fleuve/bin/python uninstall --quiet --yes --disable-pip-version-check \
        hatchling editables pathspec pluggy trove-classifiers \
 && chmod 0755 /opt/fleuve/bin/fleuve-entrypoint /opt/fleuve/bin/fleuve-healthcheck

FROM docker.io/library/python:${PYTHON_VERSION}-slim

LABEL org.opencontainers.image.title="Fleuve" \
      org.opencontainers.image.description="An event-streaming broker that speaks the Apache Kafka wire protocol" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/fleuve /opt/fleuve

# A fixed number, the one that Apache Kafka's image has too: a volume keeps its owner from one image to the next.
RUN groupadd --gid 1000 fleuve \
 && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /var/lib/fleuve --shell /usr/sbin/nologin fleuve \
 && install -d -o 1000 -g 1000 -m 0700 /var/lib/fleuve

ENV PATH=/opt/fleuve/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    KAFKA_LOG_DIR=/var/lib/fleuve \
    KAFKA_FLEUVE_HTTP_LISTEN=:9644

USER 1000:1000
WORKDIR /var/lib/fleuve
VOLUME ["/var/lib/fleuve"]
EXPOSE 9092 9644
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 CMD ["fleuve-healthcheck"]
ENTRYPOINT ["fleuve-entrypoint"]
CMD ["serve"]
