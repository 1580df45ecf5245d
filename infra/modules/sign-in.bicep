// Sign-in of people (Easy Auth). The platform lets in whom the council's own tenant knows; the app asks for an app role
// in each function (shared/access/roles.py). The registration itself is made by `python3 -m infra.sign_in`: ARM cannot.

param appName string

@description('Client id of the registration that `python3 -m infra.sign_in` made. Empty before it did: then everybody is kept out.')
param clientId string

// Azure CLI, by which people get the token that the command line `ops` sends.
var azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'

// Without a registration there is nobody whose token could be taken, and that is how it starts.
var registration = empty(clientId) ? '00000000-0000-0000-0000-000000000000' : clientId

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource signIn 'Microsoft.Web/sites/config@2024-11-01' = {
  // checkov:skip=CKV_AZURE_13: this resource is the authentication; the check looks for its older form
  // checkov:skip=CKV_AZURE_63: a property of the site's own configuration, not of this resource; the platform's logs go to the workspace
  // checkov:skip=CKV_AZURE_65: a property of the site's own configuration, and of Windows
  // checkov:skip=CKV_AZURE_66: a property of the site's own configuration, and of Windows
  // checkov:skip=CKV_AZURE_80: there is no .NET in a Python app
  // checkov:skip=CKV_AZURE_88: Flex Consumption keeps the app in a blob container, not in Azure Files
  // checkov:skip=CKV_AZURE_222: the help desk and the message service come from outside; this resource is what stands before every function
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
      runtimeVersion: '~1'
    }
    globalValidation: {
      requireAuthentication: true
      // The callers are a command line and a help desk page: a 401 is plainer to both than a redirection.
      unauthenticatedClientAction: 'Return401'
      // Health says one word. A callback brings a bearer token of its own, which the code checks.
      excludedPaths: [
        '/api/health'
        '/api/callbacks/*'
      ]
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: registration
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
        }
        validation: {
          allowedAudiences: [
            'api://${registration}'
            registration
          ]
          defaultAuthorizationPolicy: {
            allowedApplications: [
              registration
              azureCli
            ]
          }
        }
      }
    }
    login: {
      // The app never acts for the person, so it needs no token of theirs.
      tokenStore: {
        enabled: false
      }
    }
  }
}
