// The documented calls of the official Node client over a socket. An order
// placed through REST must show up on the account subscription.
import { once } from 'node:events'
import { client, market, within } from './calls.mjs'

const c = client()
const emitter = c.getEmitter()
const refusals = []
let refused = () => {}
emitter.on('error', (e) => {
  refusals.push(e)
  refused()
})

const seen = {}
const ask = async (name, event, send) => {
  const answer = once(emitter, event)
  await send()
  ;[seen[name]] = await within(name, answer)
  return seen[name]
}
const refusal = async (name, send) => {
  const came = new Promise((resolve) => (refused = resolve))
  await send()
  await within(name, came)
  seen[name] = refusals.pop().errorCode
}
const heard = (name, wanted, subscribe) => {
  const first = new Promise((resolve) => subscribe((e) => wanted(e) && resolve(e)))
  return async () => (seen[name] = await within(name, first))
}

const any = () => true
const s = c.websocket
const account = {}
const came = { order: new Promise((r) => (account.order = r)), fill: new Promise((r) => (account.fill = r)) }
await s.subscriptionAccount(market, (e) => account[e.event]?.(e))
const ticker = heard('tickerEvent', any, (f) => s.subscriptionTicker(market, f))
const day = heard('ticker24hEvent', any, (f) => s.subscriptionTicker24h(market, f))
const trade = heard('tradeEvent', any, (f) => s.subscriptionTrades(market, f))
const candle = heard('candleEvent', any, (f) => s.subscriptionCandles(market, '1m', f))
const update = heard('bookEvent', any, (f) => s.subscriptionBookUpdates(market, f))
// The client sends what is private once it is authenticated, so this answer
// says that the account subscription before it is in force.
await ask('balanceBefore', 'balance', () => s.balance({}))
await ask('time', 'time', () => s.time())
await ask('markets', 'markets', () => s.markets())
await ask('assets', 'assets', () => s.assets())
await ask('book', 'book', () => s.book(market, { depth: 3 }))
await ask('publicTrades', 'publicTrades', () => s.publicTrades(market, { limit: 3 }))
await ask('candles', 'candles', () => s.candles(market, '1h', { limit: 4 }))
await ask('tickerPrice', 'tickerPrice', () => s.tickerPrice())
await ask('tickerBook', 'tickerBook', () => s.tickerBook())
await ask('ticker24h', 'ticker24h', () => s.ticker24h())

seen.placedByREST = await c.placeOrder(market, 'buy', 'market', { amount: '0.01', operatorId: 1 })
seen.orderEvent = await within('order event', came.order)
seen.fillEvent = await within('fill event', came.fill)
for (const one of [ticker, day, trade, candle, update]) await one()

const placed = await ask('placed', 'placeOrder', () =>
  s.placeOrder(market, 'buy', 'limit', { amount: '0.1', price: '40000', operatorId: 1 }),
)
await ask('got', 'getOrder', () => s.getOrder(market, placed.orderId))
await ask('updated', 'updateOrder', () => s.updateOrder(market, placed.orderId, { price: '41000', operatorId: 1 }))
await ask('open', 'ordersOpen', () => s.ordersOpen({ market }))
await ask('canceled', 'cancelOrder', () => s.cancelOrder(market, placed.orderId))
await ask('allCanceled', 'cancelOrders', () => s.cancelOrders({ market }))
await ask('orders', 'getOrders', () => s.getOrders(market, { limit: 10 }))
await ask('trades', 'trades', () => s.trades(market))
await ask('account', 'account', () => s.account())
await ask('fees', 'fees', () => s.fees(market))
await ask('balance', 'balance', () => s.balance({}))
await ask('depositHistory', 'depositHistory', () => s.depositHistory({}))
await refusal('refusal', () => s.getOrder(market, 'nobody'))
await refusal('depositRefusal', () => s.depositAssets('BTC'))
await s.close()
console.log(JSON.stringify(seen))
