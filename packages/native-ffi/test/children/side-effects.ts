// What a process may notice of its own settings, before and after the native code worked.
import { readFileSync, statSync } from 'node:fs'
import { createNativeCrypto } from '../../src/index.ts'

const STATUS = ['SigCgt', 'SigIgn', 'SigBlk', 'NoNewPrivs', 'Seccomp', 'CoreDumping', 'THP_enabled', 'CapEff']

function settings(): object {
  const status = readFileSync('/proc/self/status', 'utf8').split('\n')
  return {
    limits: readFileSync('/proc/self/limits', 'utf8'),
    status: Object.fromEntries(status.map((line) => line.split(':\t')).filter(([name = '']) => STATUS.includes(name))),
    // Of root's, as soon as the process may not be dumped.
    memoryOwner: statSync('/proc/self/mem').uid,
    listeners: process.eventNames().map(String),
    env: Object.keys(process.env),
    umask: process.umask(),
  }
}

const before = settings()
const crypto = createNativeCrypto({ mode: 'required' })
const key = crypto.generateKey()
const { encryptedKey, data } = crypto.encryptRow(key, Buffer.from('payload'))
const worked = Buffer.from(crypto.decryptRow(key, encryptedKey, data)).toString() === 'payload'
crypto.close()
console.log(JSON.stringify({ before, after: settings(), worked }))
