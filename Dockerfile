# The pipeline's processes, one image for all of them: `docker run IMAGE gateway --config /etc/pipeline/pipeline.toml`
FROM python:3.13-slim
# Extras of pyproject.toml, as `[sandbox]` for the simulated Connectif; the stages need none.
ARG EXTRAS=
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY pipeline pipeline
RUN pip install --no-cache-dir -c constraints.txt ".${EXTRAS}" \
    && useradd --system --home-dir /var/lib/pipeline --create-home pipeline
USER pipeline
WORKDIR /var/lib/pipeline
VOLUME /var/lib/pipeline
ENTRYPOINT ["pipeline"]
