// A session server of py-code-mode on Azure Container Apps: its environment, its logs, an identity
// that may pull its image, and the app itself.
//
//   az deployment group create --resource-group GROUP \
//     --parameters main.bicepparam --parameters registryName=REGISTRY image=IMAGE
//
// deploy.sh does that, and builds the image before.
targetScope = 'resourceGroup'

@description('Name of the app, and what the names of the other resources begin with.')
@minLength(2)
@maxLength(20)
param name string = 'py-code-mode'

@description('Where everything is.')
param location string = resourceGroup().location

@description('Name of the container registry in this resource group that holds the image.')
param registryName string

@description('The image, with the registry: agents.azurecr.io/agent-tools:1.')
param image string

@description('Bearer token that clients of the server show.')
@secure()
@minLength(32)
param token string

@description('Redis server for skills and artifacts: rediss://:KEY@HOST:6380/0. Without one both are gone when the app restarts.')
@secure()
param redisUrl string = ''

@description('Whether the server is reached from the internet, or from this environment alone.')
param external bool = true

@description('Cores of the one container that all sessions share; memory goes with them, 2 Gi for each.')
@allowed([
  '0.5'
  '1'
  '2'
  '4'
])
param cpu string = '2'

@description('Sessions at once.')
@minValue(1)
param maxSessions int = 50

var memory = {
  '0.5': '1Gi'
  '1': '2Gi'
  '2': '4Gi'
  '4': '8Gi'
}

// The built-in role AcrPull.
var pullRole = '7f951dda-4ed3-4680-a7ca-43fe172d538d'

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-identity'
  location: location
}

resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, pullRole)
  scope: registry
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', pullRole)
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${name}-logs'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: '${name}-environment'
  location: location
  properties: {
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: logs.properties.customerId
        sharedKey: logs.listKeys().primarySharedKey
      }
    }
  }
}

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: name
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      ingress: {
        external: external
        targetPort: 8080
        transport: 'http'
        allowInsecure: false
      }
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: concat(
        [
          {
            name: 'bearer-token'
            value: token
          }
        ],
        empty(redisUrl) ? [] : [
          {
            name: 'redis-url'
            value: redisUrl
          }
        ]
      )
    }
    template: {
      terminationGracePeriodSeconds: 60
      containers: [
        {
          name: 'server'
          image: image
          resources: {
            cpu: json(cpu)
            memory: memory[cpu]
          }
          env: concat(
            [
              {
                name: 'PY_CODE_MODE_TOKEN'
                secretRef: 'bearer-token'
              }
              {
                name: 'PY_CODE_MODE_MAX_SESSIONS'
                value: string(maxSessions)
              }
              {
                name: 'PY_CODE_MODE_SHUTDOWN_SECONDS'
                value: '30'
              }
            ],
            empty(redisUrl) ? [] : [
              {
                name: 'PY_CODE_MODE_SKILLS'
                secretRef: 'redis-url'
              }
              {
                name: 'PY_CODE_MODE_ARTIFACTS'
                secretRef: 'redis-url'
              }
            ]
          )
          probes: [
            {
              type: 'Startup'
              httpGet: {
                path: '/health'
                port: 8080
              }
              periodSeconds: 3
              failureThreshold: 10
            }
            {
              type: 'Liveness'
              httpGet: {
                path: '/health'
                port: 8080
              }
              periodSeconds: 15
              timeoutSeconds: 5
            }
            {
              type: 'Readiness'
              httpGet: {
                path: '/ready'
                port: 8080
              }
              periodSeconds: 5
              timeoutSeconds: 5
            }
          ]
          volumeMounts: [
            {
              volumeName: 'state'
              mountPath: '/workspace/state'
            }
          ]
        }
      ]
      // What must outlive a container that was started anew in the same replica.
      volumes: [
        {
          name: 'state'
          storageType: 'EmptyDir'
        }
      ]
      // A session lives in the memory of one container: a second one would not know it, and none
      // would have lost it.
      scale: {
        minReplicas: 1
        maxReplicas: 1
      }
    }
  }
  dependsOn: [
    pull
  ]
}

@description('Where the server is: SESSION_URL.')
output url string = 'https://${app.properties.configuration.ingress.fqdn}'
