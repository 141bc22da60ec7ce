import { randomBytes, randomUUID } from 'node:crypto'
import { openAes256Gcm, sealAes256Gcm } from '@asherah/core/backend'
import type { KmsClientLike, KmsOperation, SendOptions } from '@asherah/kms-aws'
import {
  DecryptCommand,
  type DecryptCommandOutput,
  EncryptCommand,
  type EncryptCommandOutput,
  GenerateDataKeyCommand,
  type GenerateDataKeyCommandOutput,
} from '@aws-sdk/client-kms'

/** One call that has arrived. */
export interface FakeCall {
  readonly operation: KmsOperation
  readonly region: string
  readonly keyId: string | undefined
}

/** What happens to a call: an error, no answer until the signal, an answer after the signal, or (undefined) an answer. */
export type FakeFault = Error | 'hang' | 'late' | undefined

/** AWS KMS in memory. Data keys that it gave out or was given are listed, to see that they are wiped. */
export interface FakeKms {
  readonly calls: FakeCall[]
  readonly plaintexts: Uint8Array[]
  /** Chosen for each call. */
  fault: (call: FakeCall) => FakeFault
  /** Makes a key in a region; gives its ARN. */
  createKey(region: string, id?: string): string
  client(region: string): KmsClientLike
  /** A region map with a new key in each. */
  regionMap(...regions: readonly string[]): Record<string, string>
  clients(...regions: readonly string[]): Record<string, KmsClientLike>
  /** The operations and regions of the calls so far, such as `Decrypt us-west-2`. */
  log(): string[]
}

export function createFakeKms(): FakeKms {
  const masterKeys = new Map<string, Uint8Array>()
  const kms: FakeKms = {
    calls: [],
    plaintexts: [],
    fault: () => undefined,
    createKey(region, id = randomUUID()) {
      const arn = `arn:aws:kms:${region}:111122223333:key/${id}`
      // Replicas of a multi-region key share their key material.
      const material = id.startsWith('mrk-')
        ? [...masterKeys].find(([other]) => other.endsWith(`/${id}`))?.[1]
        : undefined
      masterKeys.set(arn, material ?? randomBytes(32))
      return arn
    },
    client: (region) => ({ send: sendIn(region), config: { region: async () => region } }),
    regionMap: (...regions) => Object.fromEntries(regions.map((region) => [region, kms.createKey(region)])),
    clients: (...regions) => Object.fromEntries(regions.map((region) => [region, kms.client(region)])),
    log: () => kms.calls.map(({ operation, region }) => `${operation} ${region}`),
  }

  const masterKeyOf = (keyId: string | undefined, region: string): Uint8Array => {
    const key = masterKeys.get(keyId ?? '')
    if (key === undefined || !keyId?.includes(`:${region}:`)) throw awsError('NotFoundException')
    return key
  }

  function answer(command: unknown, region: string): AnyOutput {
    if (command instanceof GenerateDataKeyCommand) {
      const plaintext = randomBytes(32)
      kms.plaintexts.push(plaintext)
      return { ...wrap(command.input.KeyId, region, plaintext), Plaintext: plaintext }
    }
    if (command instanceof EncryptCommand) {
      kms.plaintexts.push(command.input.Plaintext ?? new Uint8Array())
      return wrap(command.input.KeyId, region, command.input.Plaintext ?? new Uint8Array())
    }
    if (command instanceof DecryptCommand) {
      const plaintext = unwrap(command.input.KeyId, region, command.input.CiphertextBlob ?? new Uint8Array())
      kms.plaintexts.push(plaintext)
      return { $metadata: {}, KeyId: command.input.KeyId, Plaintext: plaintext }
    }
    throw new Error('a call that the package should not make')
  }

  function wrap(keyId: string | undefined, region: string, plaintext: Uint8Array) {
    const blob = sealAes256Gcm(plaintext, masterKeyOf(keyId, region))
    const id = keyId?.split('/').at(-1) ?? ''
    return { $metadata: {}, KeyId: keyId, CiphertextBlob: Buffer.concat([Buffer.from(id.padEnd(40)), blob]) }
  }

  function unwrap(keyId: string | undefined, region: string, blob: Uint8Array): Uint8Array {
    const masterKey = masterKeyOf(keyId, region)
    const id = Buffer.from(blob.subarray(0, 40)).toString().trim()
    try {
      const plaintext = openAes256Gcm(blob.subarray(40), masterKey)
      if (keyId?.endsWith(`/${id}`)) return plaintext
    } catch {}
    throw awsError(
      id.length === 36 && !keyId?.endsWith(`/${id}`) ? 'IncorrectKeyException' : 'InvalidCiphertextException',
    )
  }

  function sendIn(region: string): KmsClientLike['send'] {
    function send(command: GenerateDataKeyCommand, options?: SendOptions): Promise<GenerateDataKeyCommandOutput>
    function send(command: EncryptCommand, options?: SendOptions): Promise<EncryptCommandOutput>
    function send(command: DecryptCommand, options?: SendOptions): Promise<DecryptCommandOutput>
    async function send(
      command: GenerateDataKeyCommand | EncryptCommand | DecryptCommand,
      options?: SendOptions,
    ): Promise<AnyOutput> {
      const call = { operation: operationOf(command), region, keyId: command.input.KeyId }
      kms.calls.push(call)
      const fault = kms.fault(call)
      if (fault instanceof Error) throw fault
      if (fault !== undefined) await new Promise((resolve) => options?.abortSignal?.addEventListener('abort', resolve))
      if (fault === 'hang') throw new Error('aborted')
      return answer(command, region)
    }
    return send
  }
  return kms
}

type AnyOutput = GenerateDataKeyCommandOutput & EncryptCommandOutput & DecryptCommandOutput

function operationOf(command: object): KmsOperation {
  if (command instanceof GenerateDataKeyCommand) return 'GenerateDataKey'
  return command instanceof EncryptCommand ? 'Encrypt' : 'Decrypt'
}

/** An exception as the SDK throws it. */
export function awsError(name: string, httpStatusCode = 400): Error {
  return Object.assign(new Error(name), { name, $metadata: { httpStatusCode } })
}
