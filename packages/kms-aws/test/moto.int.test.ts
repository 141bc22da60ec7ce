import { createAwsKms } from '@asherah/kms-aws'
import { describeService, kmsConformance } from '@asherah/testing'
import { startMoto } from '@asherah/testing/services'
import { awsAdmin } from './aws-admin.ts'

describeService('createAwsKms over moto', await startMoto(), (aws) => {
  const settings = { endpoint: aws.url, credentials: aws.credentials }
  let keyId: string
  kmsConformance({
    name: 'AWS KMS with one key',
    create: async () => {
      keyId = await awsAdmin(aws).createKey('us-west-2')
      return createAwsKms({ keyId, ...settings })
    },
    reopen: () => createAwsKms({ keyId, ...settings }),
    createOther: async () => createAwsKms({ keyId: await awsAdmin(aws).createKey('us-west-2'), ...settings }),
    dispose: (kms) => kms.close(),
  })
})
