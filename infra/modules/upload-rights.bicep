// Who may upload for which council. The folder in `exports` is the council, so the right is a right on that folder alone.

param dataAccountName string

@description('[{ authority, principalId, principalType }]: a person, a group, or the service principal of the council\'s own job.')
param uploaders array

var group = resourceGroup().id

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: dataAccountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource exports 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobs
  name: 'exports'
}

// A role of our own: every role of Azure that writes blobs deletes them too, and its right to delete a container is one that
// no condition reaches. Whoever has this one may write a file, again too, read it and list; the container, its files' tags
// and their deletion are out of reach. A role's name must be the only one of its kind in the tenant.
resource exportUploader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(group, 'exportUploader')
  properties: {
    roleName: 'Council export uploader ${uniqueString(group)}'
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
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write'
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'
        ]
        notDataActions: []
      }
    ]
  }
}

// First half: every action on a blob must be in the council's own folder, reading too; another council's file is not
// theirs to see. Second half: a listing has no path but a prefix, and must ask for that folder.
// So `az storage blob list --prefix <authority>/` works, and looking at the container's root does not.
resource mayUpload 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for uploader in uploaders: {
  name: guid(exports.id, uploader.principalId, uploader.authority, exportUploader.name)
  scope: exports
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', exportUploader.name)
    principalId: uploader.principalId
    principalType: uploader.principalType
    description: 'Uploads exports of ${uploader.authority}.'
    condition: '((!(ActionMatches{\'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read\'} AND NOT SubOperationMatches{\'Blob.List\'}) AND !(ActionMatches{\'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write\'}) AND !(ActionMatches{\'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action\'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals \'exports\' AND @Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringLike \'${uploader.authority}/*\')) AND ((!(ActionMatches{\'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read\'} AND SubOperationMatches{\'Blob.List\'})) OR (@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:prefix] StringStartsWith \'${uploader.authority}/\'))'
    conditionVersion: '2.0'
  }
}]
