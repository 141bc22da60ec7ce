import { nativeStatus } from '@asherah/native-ffi'

/** Whether there is a native binary. Said on stderr where there is none, since rows are then missing. */
export function hasNative(): boolean {
  const { available } = nativeStatus()
  if (!available) process.stderr.write('no native binary here: its rows are left out\n')
  return available
}
