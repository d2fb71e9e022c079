# The page in a container, for Railway, for Hugging Face Spaces and for a machine of one's own:
#     docker build --tag digits . && docker run --rm --publish 8501:8501 digits
# Python 3.12.14 on Debian 13, for every architecture; Dependabot proposes newer ones.
FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea

# Hugging Face runs a container as user 1000; elsewhere it is simply not root.
RUN useradd --create-home --uid 1000 visitor
WORKDIR /home/visitor/app

COPY requirements.txt .
RUN pip install --no-cache-dir --requirement requirements.txt
COPY . .

USER 1000
ENV PORT=8501
EXPOSE 8501
HEALTHCHECK CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/_stcore/health', timeout=3)"]
CMD ["sh", "-c", "MALLOC_ARENA_MAX=2 exec streamlit run app.py --server.port \"$PORT\" --server.address 0.0.0.0 --server.headless true --server.fileWatcherType none"]
