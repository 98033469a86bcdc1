import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

const Bitvavo = createRequire(import.meta.url)('bitvavo')

export const market = 'BTC-EUR'

export const client = () =>
  Bitvavo().options({
    APIKEY: process.env.KEY,
    APISECRET: process.env.SECRET,
    RESTURL: process.env.REST,
    WSURL: process.env.SOCKET,
  })

// The client goes on trying for ever; a test should not.
export const within = async (what, promise) => {
  const late = new AbortController()
  const alarm = sleep(20_000, undefined, { signal: late.signal }).then(() => {
    throw new Error(`${what} did not come`)
  })
  alarm.catch(() => {})
  try {
    return await Promise.race([promise, alarm])
  } finally {
    late.abort()
  }
}
