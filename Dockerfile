# The pipeline's processes, one image for all of them: `docker run IMAGE gateway --config /etc/pipeline/pipeline.toml`
FROM python:3.13-slim
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY pipeline pipeline
RUN pip install --no-cache-dir -c constraints.txt . \
    && useradd --system --home-dir /var/lib/pipeline --create-home pipeline
USER pipeline
WORKDIR /var/lib/pipeline
VOLUME /var/lib/pipeline
ENTRYPOINT ["pipeline"]
