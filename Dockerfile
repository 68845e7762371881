# Three images from one file:
#   docker build --target api .                              the API, without PyTorch
#   docker build --target worker .                           a worker with the CPU build of PyTorch
#   docker build --target worker --build-arg TORCH=cu130 .   a worker with a CUDA build
#   docker build --target standalone .                       the whole service in one container, as `distillery serve`
# Packages come before the code, so that a change of the code rebuilds in seconds.

ARG BASE=python:3.11-slim-bookworm


# --- what both images stand on: Python, and nothing that only builds or installs software
FROM ${BASE} AS trimmed
RUN cd /usr/local/lib/python3.11 \
    && rm -rf site-packages/* ensurepip idlelib lib2to3 tkinter turtledemo pydoc_data/topics.py test \
        /usr/local/bin/pip* /usr/local/include /usr/local/lib/pkgconfig \
        /usr/bin/perl* /usr/share/perl* /usr/lib/*-linux-gnu/perl* /usr/lib/*-linux-gnu/libperl* \
        /usr/lib/*-linux-gnu/gconv /usr/bin/apt* /usr/lib/apt /usr/lib/*-linux-gnu/libapt* \
        /usr/share/man /usr/share/locale /var/cache/* /var/lib/apt/lists/* /tmp/* \
    && find /usr/share/doc -type f ! -name copyright -delete \
    && groupadd --gid 10001 distillery \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin distillery \
    && mkdir -p /var/lib/distillery/artifacts /var/lib/distillery/cache /var/lib/distillery/runs /data \
    && chown -R distillery:distillery /var/lib/distillery /data \
    && python -m compileall -q /usr/local/lib/python3.11

FROM scratch AS runtime
COPY --from=trimmed / /
# TMPDIR and HOME are the one place that is writable when the root file system is not.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 HOME=/tmp PYTHONUNBUFFERED=1 \
    KD_HOME=/var/lib/distillery KD_DATA_DIR=/data
WORKDIR /app


# --- wheels of your own, if any: the folder in the project, or --build-context wheels=FOLDER
FROM scratch AS wheels
COPY wheels /


# --- the packages of each image, as requirements.lock pins them: a file with another hash is refused
FROM ${BASE} AS packages
WORKDIR /app
# uv knows where each build of PyTorch comes from. Its own version and hashes are in the lock too.
RUN --mount=type=bind,source=requirements.lock,target=requirements.lock \
    sed -n '/^uv==/,/[^\\]$/p' requirements.lock > /tmp/uv.lock \
    && pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes -r /tmp/uv.lock \
    && python -m venv --without-pip /opt/venv
# The system's certificates: where the base image trusts a proxy, so does the build.
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH UV_SYSTEM_CERTS=1 UV_NO_CACHE=1 UV_LINK_MODE=copy

FROM packages AS api-packages
RUN --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=requirements.lock,target=requirements.lock \
    --mount=type=bind,from=wheels,target=wheels \
    uv pip install --find-links wheels --require-hashes -c requirements.lock -r pyproject.toml --extra api

FROM packages AS worker-packages
# cpu, cu126, cu130, ... are what `uv pip install --torch-backend` knows; a wheel of torch in wheels/ comes before it.
ARG TORCH=cpu
RUN --mount=type=bind,source=requirements.lock,target=requirements.lock \
    --mount=type=bind,source=requirements-torch.lock,target=requirements-torch.lock \
    --mount=type=bind,from=wheels,target=wheels \
    if ls wheels/torch-*.whl; then from="--find-links wheels"; else from="--torch-backend $TORCH"; fi \
    && uv pip install --compile-bytecode $from -c requirements.lock -r requirements-torch.lock
RUN --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=requirements.lock,target=requirements.lock \
    --mount=type=bind,from=wheels,target=wheels \
    echo torch > /tmp/installed \
    && uv pip install --compile-bytecode --find-links wheels --require-hashes --excludes /tmp/installed \
        -c requirements.lock -r pyproject.toml --extra engine --extra timm --extra worker

FROM worker-packages AS standalone-packages
RUN --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=requirements.lock,target=requirements.lock \
    --mount=type=bind,from=wheels,target=wheels \
    uv pip install --compile-bytecode --find-links wheels --require-hashes \
        -c requirements.lock -r pyproject.toml --extra api --extra standalone


# --- the images
FROM runtime AS api
COPY --from=api-packages /opt/venv /opt/venv
COPY distillery distillery
COPY kd_engine kd_engine
COPY jobs jobs
COPY api api
# Bytecode of what is imported, and not of everything, which would be 25 MB more.
RUN python -c "import api.__main__, api.app.metrics, jobs.migrations.upgrade"
USER distillery
ENV KD_HOST=0.0.0.0 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s \
    CMD ["python", "-c", "import urllib.request as http; http.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m"]
CMD ["api"]

FROM runtime AS worker
COPY --from=worker-packages /opt/venv /opt/venv
COPY distillery distillery
COPY kd_engine kd_engine
COPY jobs jobs
COPY worker worker
RUN python -m compileall -q .
USER distillery
ENV KD_PULSE_FILE=/tmp/worker.pulse PYTHONDONTWRITEBYTECODE=1
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s \
    CMD ["python", "-m", "worker.liveness_file"]
ENTRYPOINT ["python", "-m"]
CMD ["worker"]

FROM runtime AS standalone
COPY --from=standalone-packages /opt/venv /opt/venv
COPY distillery distillery
COPY kd_engine kd_engine
COPY jobs jobs
COPY api api
COPY worker worker
COPY standalone standalone
RUN python -m compileall -q .
USER distillery
# On this address it asks for KD_API_KEYS, as the api does.
ENV KD_HOST=0.0.0.0 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s \
    CMD ["python", "-c", "import urllib.request as http; http.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m"]
CMD ["distillery", "serve"]
