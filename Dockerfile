# The pipeline's processes, one image for all of them: `docker run IMAGE gateway --config /etc/pipeline/pipeline.toml`
# What is installed is what deploy/locks names, each file by its digest: the same packages in every build.
# Its Python is one that CI tests. It is an image of amd64: faust-streaming has no wheel for ARM, and nothing is compiled
# here (`docker build --platform linux/amd64`). For the same bytes of the system below too, name the base by its digest:
# `--build-arg BASE=python:3.12-slim-bookworm@sha256:...`.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
# An extra of pyproject.toml: sandbox, status, archive, or otel for traces; the stages need none.
ARG EXTRA=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1
WORKDIR /src
COPY deploy/locks deploy/locks
RUN python -m venv /opt/build && python -m venv /opt/pipeline \
    && /opt/build/bin/pip install --require-hashes -r deploy/locks/build.txt \
    && /opt/pipeline/bin/pip install --require-hashes --only-binary :all: \
        -r deploy/locks/plain.txt ${EXTRA:+-r deploy/locks/$EXTRA.txt}
COPY pyproject.toml README.md LICENSE ./
COPY grafana/prometheus grafana/prometheus
COPY grafana/dashboards grafana/dashboards
COPY pipeline pipeline
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist \
    && /opt/pipeline/bin/pip install --no-deps --no-index /dist/*.whl \
    && /opt/pipeline/bin/pip check \
    && /opt/pipeline/bin/pip uninstall --yes pip

FROM ${BASE}
# A number, so that Kubernetes can tell that it is not root.
RUN useradd --system --uid 10001 --home-dir /var/lib/pipeline --create-home pipeline \
    && install -d -o pipeline -g pipeline /srv/archive
COPY --from=build /opt/pipeline /opt/pipeline
# Nothing is written but what lies in /var/lib/pipeline, and passing files in /tmp: the rest may be read-only.
ENV PATH=/opt/pipeline/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PORT=8080
USER 10001:10001
WORKDIR /var/lib/pipeline
VOLUME /var/lib/pipeline
# Of a gateway; for another process say its port: `docker run -e PORT=8081 IMAGE worker translate --host 0.0.0.0`.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/readyz', timeout=5)"]
ENTRYPOINT ["pipeline"]
