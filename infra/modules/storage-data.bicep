// The migration's data: uploads, reports, nightly copies, queues, tables.
// The names are those of shared/names.py; a test keeps both equal.

param name string
param location string
param tags object

@description('Standard_ZRS survives the loss of a datacentre. Table Storage itself has no restore: hence the nightly copy.')
param redundancy string

@description('True where the private network stands: only it, Azure services and the named addresses get in.')
param closed bool

@description('Public addresses or ranges that get in although the account is closed: where councils upload from.')
param allowedAddresses array

@description('Days for which a deleted or overwritten blob, or a deleted container, can be brought back. What the law asks us to delete stays that long, too: keep it short.')
@minValue(1)
@maxValue(365)
param undeleteDays int

@description('Days for which nobody, whatever his rights, can change or delete a nightly copy.')
@minValue(1)
@maxValue(146000)
param backupDays int

@description('True once a person has locked the policy of `backups`. Azure then refuses to write it again, so it is left alone.')
param backupsLocked bool

@description('True to refuse the deletion of the whole account, by anybody, until the lock is taken away.')
param lockData bool

var containers = [
  'exports'
  'reports'
  'backups'
  'dead-letters'
]

var queues = [
  'receive-export'
  'stage-rows'
  'stage-suppressions'
  'classify-account'
  'adopt-plan'
  'provision-account'
  'notify-customer'
]

// The host would make these itself at the first poisoned message. Made here they can be watched and read from the first day.
var poisonQueues = [
  'receive-export-poison'
  'stage-rows-poison'
  'stage-suppressions-poison'
  'classify-account-poison'
  'adopt-plan-poison'
  'provision-account-poison'
  'notify-customer-poison'
]

var tables = [
  'Migrations'
  'Rows'
  'Accounts'
]

var rules = [for address in allowedAddresses: {
  action: 'Allow'
  value: address
}]

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: closed where the private network stands; without it the app has no fixed address to let in, and every caller needs a role
  // checkov:skip=CKV_AZURE_59: no blob is public; the endpoint stays because Event Grid and the councils' offices come by it
  // checkov:skip=CKV_AZURE_206: replicated over datacentres by default; the name is a parameter, which the check cannot read
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    // No keys and so no SAS signed by them: who gets in has a role, and the log says who it was.
    allowSharedKeyAccess: false
    allowedCopyScope: 'AAD'
    // With keys off, the portal must ask by the signed-in person at once.
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    encryption: {
      keySource: 'Microsoft.Storage'
      // A second layer. It can only be chosen when the account is made.
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
        queue: {
          enabled: true
          keyType: 'Account'
        }
        table: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
    // Not 'Disabled' even where the account is closed: Event Grid comes as a trusted service, and councils upload from their own offices.
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: closed ? 'Deny' : 'Allow'
      ipRules: rules
    }
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (lockData) {
  name: 'keep-the-migration'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: 'Tables cannot be restored. Take the lock away only when the migration is closed and its proof is elsewhere.'
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: undeleteDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: undeleteDays
    }
    // No versioning: each rewriting of result.csv and each replaced export would stay for good, with the people in it.
    // Soft delete brings back what was overwritten by mistake, and then forgets it.
    isVersioningEnabled: false
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [for item in containers: {
  parent: blobService
  name: item
  properties: {
    publicAccess: 'None'
  }
}]

resource backups 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobService
  name: 'backups'
}

// Unlocked: nobody can change or delete a copy before its time, but whoever may manage the account can still shorten or
// remove the policy. Lock it in production, once, when the number of days is agreed (infra/README.md says how), and set
// `backupsLocked`. A lock cannot be undone: then not even the owner of the subscription can remove a copy early.
resource backupPolicy 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-01-01' = if (!backupsLocked) {
  parent: backups
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: backupDays
    allowProtectedAppendWrites: false
  }
  dependsOn: [
    container
  ]
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [for item in concat(queues, poisonQueues): {
  parent: queueService
  name: item
}]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' = [for item in tables: {
  parent: tableService
  name: item
}]

output id string = account.id
output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output tableEndpoint string = account.properties.primaryEndpoints.table
