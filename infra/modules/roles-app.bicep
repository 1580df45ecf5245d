// What the app's identity may do, and nothing else. The names are made of scope, identity and role, so that a second run
// finds the first one's assignments.

param principalId string
param hostAccountName string
param dataAccountName string
param vaultName string
param insightsName string

var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
var blobReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1' // Storage Blob Data Reader
var queueContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
var tableContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher
var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User

var group = resourceGroup().id

resource host 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: hostAccountName
}

resource data 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: dataAccountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: data
  name: 'default'
}

resource exports 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobs
  name: 'exports'
}

resource reports 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobs
  name: 'reports'
}

resource backups 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobs
  name: 'backups'
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(host.id, principalId, blobOwner)
  scope: host
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'The Functions host: leases, timers, package. Microsoft asks for this very role.'
  }
}

resource hostTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(host.id, principalId, tableContributor)
  scope: host
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableContributor)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'The Functions host: its diagnostic events.'
  }
}

resource readsExports 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(exports.id, principalId, blobReader)
  scope: exports
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobReader)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Reads uploads. It never writes or deletes one: retention does (retention.bicep).'
  }
}

// Owner and not Contributor for one thing: only it may set the index tag by which `personal/` is deleted sooner.
resource writesReports 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(reports.id, principalId, blobOwner)
  scope: reports
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Writes reports, and the tag by which those with people in them are deleted sooner.'
  }
}

// A role of our own: every role of Azure that writes blobs deletes them, and the container. A role's name must be the only
// one of its kind in the tenant.
resource copyWriter 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(group, 'copyWriter')
  properties: {
    roleName: 'Nightly copy writer ${uniqueString(group)}'
    description: 'Writes, reads and lists files of a container; deletes neither them nor the container.'
    type: 'CustomRole'
    assignableScopes: [
      group
    ]
    permissions: [
      {
        actions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/read'
        ]
        notActions: []
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'
        ]
        notDataActions: []
      }
    ]
  }
}

resource writesBackups 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(backups.id, principalId, copyWriter.name)
  scope: backups
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', copyWriter.name)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Writes and reads the nightly copies; changes and deletes none.'
  }
}

// Contributor: the host moves what failed to a poison queue (a send), holds messages for longer (an update) and looks
// whether the queue is there. Reader and Message Processor, which the documentation names, cover none of the three.
resource usesQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(data.id, principalId, queueContributor)
  scope: data
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueContributor)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Receives, sends and poisons messages.'
  }
}

resource usesTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(data.id, principalId, tableContributor)
  scope: data
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableContributor)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'The tables are the truth; `ops rebuild` makes them again.'
  }
}

resource readsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, secretsUser)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Reads the secrets that the settings refer to.'
  }
}

resource publishesMetrics 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, principalId, metricsPublisher)
  scope: insights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
    principalId: principalId
    principalType: 'ServicePrincipal'
    description: 'Sends logs, traces and metrics; the keys of Application Insights are off.'
  }
}
