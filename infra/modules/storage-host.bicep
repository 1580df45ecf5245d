// The Functions host's own account: its leases, the timers' state and the deployed package.
// It stands apart from the migration's data, because the host asks to own every blob of the account it uses.

param name string
param location string
param tags object

@description('Standard_ZRS survives the loss of a datacentre.')
param redundancy string

@description('True where the private network stands: only it, Azure services and the named addresses get in.')
param closed bool

@description('Public addresses or ranges that get in although the account is closed.')
param allowedAddresses array

var rules = [for address in allowedAddresses: {
  action: 'Allow'
  value: address
}]

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  // checkov:skip=CKV_AZURE_35: closed where the private network stands; without it the app has no fixed address to let in, and every caller needs a role
  // checkov:skip=CKV_AZURE_59: no blob is public; the endpoint stays because deployments come by it
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
    allowSharedKeyAccess: false
    allowedCopyScope: 'AAD'
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: closed ? 'Deny' : 'Allow'
      ipRules: rules
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'app-package'
  properties: {
    publicAccess: 'None'
  }
}

output id string = account.id
output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output tableEndpoint string = account.properties.primaryEndpoints.table
output packagesUrl string = '${account.properties.primaryEndpoints.blob}${packages.name}'
