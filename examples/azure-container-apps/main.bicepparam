// Secrets come from the environment: on a command line everybody on the machine could read them.
using 'main.bicep'

param registryName = readEnvironmentVariable('REGISTRY')
param image = readEnvironmentVariable('IMAGE')
param token = readEnvironmentVariable('PY_CODE_MODE_TOKEN')
param redisUrl = readEnvironmentVariable('REDIS_URL', '')
