import { InvalidConfigError, InvalidInputError } from './errors.ts'

/** A factory's names and the endings of ids that it accepts. */
export interface PartitionNames {
  readonly service: string
  readonly product: string
  /** The metastore's own suffix; ends every id that is written. */
  readonly regionSuffix: string | undefined
  /** Suffixes of other regions, whose records are read. */
  readonly recoveryRegionSuffixes: readonly string[]
  /** Refuse `_` in service, product and suffixes. */
  readonly strictIds: boolean
}

/** The key ids of one factory. */
export interface FactoryIds {
  readonly systemKeyId: string
  isOwnSystemKey(keyId: string): boolean
  /** @throws InvalidInputError when the partition id cannot be used. */
  partition(partitionId: string): PartitionIds
}

/** The key ids of one partition. */
export interface PartitionIds {
  readonly partitionId: string
  readonly intermediateKeyId: string
  /**
   * Whether a record's intermediate key id is this partition's: equal to one of few ids, never a test of a prefix.
   * With one, a session of partition `u` would open records of partition `u_s_p_x`.
   */
  isOwnIntermediateKey(keyId: string): boolean
  /** Every id that this partition's key of one time may have: own, bare, each recovery suffix. */
  allIntermediateKeyIds(): readonly string[]
}

/** The longest partition id, in bytes of UTF-8. */
export const MAX_PARTITION_BYTES = 4_096

/**
 * Checks the names and derives ids from them.
 *
 * @throws InvalidConfigError for names that are empty or not well-formed, that `strictIds` refuses, or whose endings could be
 * confused: see {@link checkEndings}.
 */
export function createFactoryIds(names: PartitionNames): FactoryIds {
  const { service, product, regionSuffix, recoveryRegionSuffixes, strictIds } = names
  checkName('service', service, strictIds)
  checkName('product', product, strictIds)
  if (regionSuffix !== undefined) checkName("the metastore's regionSuffix", regionSuffix, strictIds)
  if (!Array.isArray(recoveryRegionSuffixes))
    throw new InvalidConfigError('recoveryRegionSuffixes is a list of suffixes')
  for (const suffix of recoveryRegionSuffixes) checkName('a suffix in recoveryRegionSuffixes', suffix, strictIds)

  const core = `_${service}_${product}`
  const own = regionSuffix === undefined ? core : `${core}_${regionSuffix}`
  // The own ending first: it is the likeliest.
  const endings = [...new Set([own, core, ...recoveryRegionSuffixes.map((suffix) => `${core}_${suffix}`)])]
  checkEndings(endings)
  const systemKeyIds = endings.map((ending) => `_SK${ending}`)

  return {
    systemKeyId: `_SK${own}`,
    isOwnSystemKey: (keyId) => systemKeyIds.includes(keyId),
    partition(partitionId) {
      checkPartitionId(partitionId)
      return new OwnPartitionIds(partitionId, own, endings)
    },
  }
}

/** A class, since there is one for each session: its methods are made once. */
class OwnPartitionIds implements PartitionIds {
  readonly partitionId: string
  readonly intermediateKeyId: string
  readonly #endings: readonly string[]

  constructor(partitionId: string, own: string, endings: readonly string[]) {
    this.partitionId = partitionId
    this.intermediateKeyId = `_IK_${partitionId}${own}`
    this.#endings = endings
  }

  isOwnIntermediateKey(keyId: string): boolean {
    return keyId === this.intermediateKeyId || this.allIntermediateKeyIds().includes(keyId)
  }

  allIntermediateKeyIds(): readonly string[] {
    return this.#endings.map((ending) => `_IK_${this.partitionId}${ending}`)
  }
}

/**
 * Two partitions can share an id only if one ending ends with another: `_IK_{p1}{x}` = `_IK_{p2}{y}` with x shorter than y
 * means that y ends with x. Refusing such endings makes isolation within a factory exact.
 */
function checkEndings(endings: readonly string[]): void {
  for (const longer of endings) {
    for (const shorter of endings) {
      if (longer !== shorter && longer.endsWith(shorter)) {
        throw new InvalidConfigError(
          `key ids that end in ${JSON.stringify(longer)} could be confused with those that end in ${JSON.stringify(shorter)}: ` +
            'choose a region suffix that does not repeat service and product',
        )
      }
    }
  }
}

function checkName(what: string, name: unknown, strictIds: boolean): void {
  if (typeof name !== 'string' || name === '') throw new InvalidConfigError(`${what} is a non-empty string`)
  if (!isWellFormed(name)) throw new InvalidConfigError(`${what} has a lone surrogate: it is not well-formed text`)
  if (strictIds && name.includes('_')) {
    throw new InvalidConfigError(
      `${what} ${JSON.stringify(name)} contains "_", which strictIds refuses: ids could be ambiguous`,
    )
  }
}

/** @throws InvalidInputError when the partition id cannot be used. */
export function checkPartitionId(partitionId: unknown): asserts partitionId is string {
  if (typeof partitionId !== 'string') {
    throw new InvalidInputError(`a partition id is a string, not ${partitionId === null ? 'null' : typeof partitionId}`)
  }
  if (partitionId === '') throw new InvalidInputError('a partition id is not empty')
  if (!isWellFormed(partitionId))
    throw new InvalidInputError('the partition id has a lone surrogate: it is not well-formed text')
  // A UTF-16 unit is at least one byte and at most three: count only when it is needed.
  if (partitionId.length * 3 > MAX_PARTITION_BYTES && Buffer.byteLength(partitionId) > MAX_PARTITION_BYTES) {
    throw new InvalidInputError(
      `the partition id has ${Buffer.byteLength(partitionId)} bytes of UTF-8; the limit is ${MAX_PARTITION_BYTES}`,
    )
  }
}

/** `String.prototype.isWellFormed`, which the ES2023 library does not declare yet; every supported Node has it. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}
