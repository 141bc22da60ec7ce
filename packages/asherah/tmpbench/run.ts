import { dropIn } from './g.ts'
await dropIn.run({ quick: true, report: (r) => console.log(r.id.padEnd(34), r.ours.toFixed(0), r.peer?.toFixed(0), r.ratio?.toFixed(2), r.target) })
