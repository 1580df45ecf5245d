// The function app: Flex Consumption, Python 3.13. The directory's quota is the limit, not the computers, so few instances do.

param planName string
param appName string
param location string
param tags object
param identityId string
param packagesUrl string

@description('Memory of an instance: 512, 2048 (one core) or 4096 (two cores).')
param instanceMemoryMB int

@description('Most instances that each queue function may have.')
param maximumInstanceCount int

@description('The subnet through which the app reaches storage and vault; empty without a private network.')
param subnetId string

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  // checkov:skip=CKV_AZURE_225: the queues wait for an app that is away; zones would need instances that always run
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  // checkov:skip=CKV_AZURE_17: people and the message service have no client certificates; Easy Auth asks who they are
  // checkov:skip=CKV_AZURE_212: Flex Consumption scales by itself, to nothing when nothing waits
  // checkov:skip=CKV_AZURE_213: Flex Consumption has no health check of the platform; /api/health and an alarm stand in
  // checkov:skip=CKV_AZURE_222: the help desk and the message service come from outside; Easy Auth stands before every function
  name: appName
  location: location
  // By this tag azd finds where to deploy the service `app` of azure.yaml.
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: 'Enabled'
    // Without it the platform would look for a system-assigned identity, and no reference would be resolved.
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packagesUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      remoteDebuggingEnabled: false
    }
  }
}

// Publishing by name and password is off; azd and people come with a token.
resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output id string = app.id
output name string = app.name
output uri string = 'https://${app.properties.defaultHostName}'
