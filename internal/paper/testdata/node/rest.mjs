// The documented calls of the official Node client over REST.
import { client, market } from './calls.mjs'

const c = client()
const refusal = (promise) => promise.then((v) => `accepted ${JSON.stringify(v)}`, String)
const seen = {
  time: await c.time(),
  markets: await c.markets(),
  assets: await c.assets(),
  book: await c.book(market, { depth: 3 }),
  publicTrades: await c.publicTrades(market, { limit: 3 }),
  candles: await c.candles(market, '1h', { limit: 4 }),
  tickerPrice: await c.tickerPrice(),
  tickerBook: await c.tickerBook(),
  ticker24h: await c.ticker24h(),
  placedByREST: await c.placeOrder(market, 'buy', 'market', { amount: '0.01', operatorId: 1 }),
}
const placed = await c.placeOrder(market, 'buy', 'limit', { amount: '0.1', price: '40000', operatorId: 1 })
Object.assign(seen, {
  placed,
  got: await c.getOrder(market, placed.orderId),
  updated: await c.updateOrder(market, placed.orderId, { price: '41000', operatorId: 1 }),
  open: await c.ordersOpen({ market }),
  canceled: await c.cancelOrder(market, placed.orderId),
  allCanceled: await c.cancelOrders({ market }),
  orders: await c.getOrders(market, { limit: 10 }),
  trades: await c.trades(market),
  account: await c.account(),
  fees: await c.fees(market),
  balance: await c.balance(),
  depositHistory: await c.depositHistory(),
  refusal: await refusal(c.getOrder(market, 'nobody')),
  depositRefusal: await refusal(c.depositAssets('BTC')),
})
console.log(JSON.stringify(seen))
