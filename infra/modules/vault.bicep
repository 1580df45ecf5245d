// Secrets, and the certificate by which the app proves itself to the directory. No value is written here: a person who
// is a keeper puts them in, and no other tool ever sees them (infra/README.md).

param name string
param location string
param tags object

@description('True where the private network stands: only it, Azure services and the named addresses get in.')
param closed bool

@description('Public addresses or ranges that get in although the vault is closed: where the keepers sit.')
param allowedAddresses array

var rules = [for address in allowedAddresses: {
  value: address
}]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  // checkov:skip=CKV_AZURE_109: closed where the private network stands; without it the app has no fixed address to let in, and every caller needs a role
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    // PSEUDONYM_KEY cannot be made again: losing it orphans every account. Nobody may purge it.
    enablePurgeProtection: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: closed ? 'Deny' : 'Allow'
      ipRules: rules
    }
  }
}

output id string = vault.id
output name string = vault.name
