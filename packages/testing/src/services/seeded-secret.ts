/**
 * The password of every server that the launchers start, and the secret key of the AWS stand-ins. No output of a test run
 * may have it: `.ci/run` looks (`tooling/seeded-markers.txt`).
 */
export const SEEDED_SECRET = 'seeded0S3cret0that0nobody0prints'
