#!/bin/sh
# Build the image in Azure and run it as a container app; tell where it is.
#
#   az login
#   sh deploy.sh GROUP REGISTRY [LOCATION]
#
# GROUP is the resource group, REGISTRY the name of a container registry (letters and digits, its
# own in all of Azure); both are made if they are not there. Running it again brings changes up.
# Environment: PY_CODE_MODE_TOKEN, the bearer token (one is made if it is not set); REDIS_URL, for
# skills and artifacts that outlive the app.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: sh deploy.sh GROUP REGISTRY [LOCATION]" >&2
    exit 2
fi
GROUP=$1
REGISTRY=$2
LOCATION=${3:-westeurope}
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
VERSION=$(date -u +%Y%m%d%H%M%S)
IMAGE=$REGISTRY.azurecr.io/agent-tools:$VERSION
if [ -z "${PY_CODE_MODE_TOKEN:-}" ]; then
    PY_CODE_MODE_TOKEN=$(openssl rand -hex 32)
    echo "==> a token was made: see below" >&2
fi

echo "==> resource group and registry" >&2
az group create --name "$GROUP" --location "$LOCATION" --output none
az acr create --resource-group "$GROUP" --name "$REGISTRY" --sku Basic --output none

echo "==> the image: the session server, then the tools on top of it" >&2
az acr build --registry "$REGISTRY" --image "py-code-mode-tools:$VERSION" \
    --file "$ROOT/docker/Dockerfile.tools" "$ROOT" --output none
az acr build --registry "$REGISTRY" --image "agent-tools:$VERSION" \
    --build-arg "BASE=$REGISTRY.azurecr.io/py-code-mode-tools:$VERSION" \
    --file "$HERE/Dockerfile" "$HERE" --output none

echo "==> the app" >&2
# Secrets go through the environment: main.bicepparam reads them there.
export REGISTRY IMAGE PY_CODE_MODE_TOKEN
URL=$(az deployment group create --resource-group "$GROUP" --name py-code-mode \
    --template-file "$HERE/main.bicep" --parameters "$HERE/main.bicepparam" \
    --query properties.outputs.url.value --output tsv)

echo "export SESSION_URL=$URL"
echo "export SESSION_TOKEN=$PY_CODE_MODE_TOKEN"
