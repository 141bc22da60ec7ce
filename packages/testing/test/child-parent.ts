import { startChild } from '@asherah/testing/services'

// Starts a service, says its pid, and stays until it is killed.
const args = ['-e', 'setInterval(() => {}, 1000)']
const child = await startChild({ name: 'lasting', command: process.execPath, args, ready: async () => true })
console.log(child.pid)
