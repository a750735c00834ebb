# vadkit on the CPU. This file has not been built by those who wrote it; please report what fails.
#
#   docker build -t vadkit .
#   docker run --rm -v "$PWD:/data" vadkit predict clip.mp4 --model model.safetensors --out pages
#
# To watch cameras, see compose.yaml.
FROM python:3.13-slim
# libgl1 and libglib2.0-0: OpenCV's usual build, which mmengine requires, needs both.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir '/src[watch]' \
    && rm -rf /src
WORKDIR /data
ENTRYPOINT ["vadkit"]
