// One page to watch a migration: what stands where, the queues, the pace, what goes wrong, one account's trace.

param location string
param tags object
param workspaceId string

@description('Name of the resource: a GUID, as Azure wants it.')
param name string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Customer account migration'
    category: 'workbook'
    version: 'Notebook/1.0'
    sourceId: workspaceId
    serializedData: loadTextContent('../workbook.json')
  }
}

output workbookId string = workbook.id
