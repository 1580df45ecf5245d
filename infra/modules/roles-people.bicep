// What people may see in the portal, and who keeps the secrets. What people may *do* they do through the app, by app role.

param dataAccountName string
param vaultName string

@description('Who watches: [{ principalId, principalType }], best a group. They look and peek; they change nothing.')
param operators array

@description('Who puts certificate and keys into the vault: [{ principalId, principalType }]. When it is done take their role away by hand (infra/README.md): a name that leaves this list keeps it.')
param keepers array

var reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7' // Reader
var blobReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1' // Storage Blob Data Reader
var queueReader = '19e7f393-937e-4f77-808e-94535e297925' // Storage Queue Data Reader
var tableReader = '76199698-9eea-4c19-bc75-cec21354c6b6' // Storage Table Data Reader
var secretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7' // Key Vault Secrets Officer
var certificatesOfficer = 'a4417e6f-fecd-4de8-b567-7b0420556985' // Key Vault Certificates Officer

// Reports of the middle folder `personal/` list people: they are for those who decide, through the app.
var namesNobody = '((!(ActionMatches{\'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read\'} AND NOT SubOperationMatches{\'Blob.List\'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringNotLike \'*/personal/*\'))'

resource data 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: dataAccountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: data
  name: 'default'
}

resource reports 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobs
  name: 'reports'
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobs
  name: 'dead-letters'
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' existing = {
  parent: data
  name: 'default'
}

// Not `Rows`: names and addresses are there.
resource migrations 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' existing = {
  parent: tableService
  name: 'Migrations'
}

resource accounts 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' existing = {
  parent: tableService
  name: 'Accounts'
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource seesResources 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for person in operators: {
  name: guid(resourceGroup().id, person.principalId, reader)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', reader)
    principalId: person.principalId
    principalType: person.principalType
    description: 'Sees the resources, their logs, alerts and the workbook.'
  }
}]

resource peeks 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for person in operators: {
  name: guid(data.id, person.principalId, queueReader)
  scope: data
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueReader)
    principalId: person.principalId
    principalType: person.principalType
    description: 'Watches the queues and peeks at messages; dequeues none.'
  }
}]

resource readsMigrations 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for person in operators: {
  name: guid(migrations.id, person.principalId, tableReader)
  scope: migrations
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableReader)
    principalId: person.principalId
    principalType: person.principalType
    description: 'Looks at the migrations.'
  }
}]

resource readsAccounts 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for person in operators: {
  name: guid(accounts.id, person.principalId, tableReader)
  scope: accounts
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableReader)
    principalId: person.principalId
    principalType: person.principalType
    description: 'Looks at the accounts, which hold pseudonyms only.'
  }
}]

resource readsReports 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for person in operators: {
  name: guid(reports.id, person.principalId, blobReader)
  scope: reports
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobReader)
    principalId: person.principalId
    principalType: person.principalType
    description: 'Reads the reports, but for those that list people.'
    condition: namesNobody
    conditionVersion: '2.0'
  }
}]

resource readsDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for person in operators: {
  name: guid(deadLetters.id, person.principalId, blobReader)
  scope: deadLetters
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobReader)
    principalId: person.principalId
    principalType: person.principalType
    description: 'Reads the events that could not be delivered.'
  }
}]

resource keepsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for person in keepers: {
  name: guid(vault.id, person.principalId, secretsOfficer)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
    principalId: person.principalId
    principalType: person.principalType
    description: 'Puts PSEUDONYM_KEY and the Notify keys into the vault.'
  }
}]

resource keepsCertificates 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for person in keepers: {
  name: guid(vault.id, person.principalId, certificatesOfficer)
  scope: vault
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', certificatesOfficer)
    principalId: person.principalId
    principalType: person.principalType
    description: 'Makes and renews the directory certificate.'
  }
}]
