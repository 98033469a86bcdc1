// ccxt on a socket: it matches answers by requestId and keeps its own book.
import ccxt from 'ccxt'

const ex = new ccxt.pro.bitvavo({ apiKey: process.env.KEY, secret: process.env.SECRET, options: { operatorId: 1 } })
ex.urls.api.public = ex.urls.api.private = process.env.REST.replace(/\/v2$/, '')
ex.urls.api.ws = process.env.SOCKET.replace(/\/$/, '')
await ex.loadHttpProxyAgent() // without it, ccxt wants TLS

const symbol = 'BTC/EUR'
await ex.loadMarkets()
await ex.watchOrderBook(symbol)
const order = ex.watchOrders(symbol)
const fill = ex.watchMyTrades(symbol)
const ticker = ex.watchTicker(symbol)
await ex.fetchBalanceWs() // what was subscribed before it is in force
const placed = await ex.createOrderWs(symbol, 'market', 'buy', 0.01)
const limit = await ex.createOrderWs(symbol, 'limit', 'buy', 0.1, 40000)
console.log(
  JSON.stringify({
    placed: placed.id,
    order: (await order)[0].id,
    fill: (await fill)[0].order,
    ticker: (await ticker).symbol,
    book: (await ex.watchOrderBook(symbol)).bids.length,
    open: (await ex.fetchOpenOrdersWs(symbol)).map((o) => o.id),
    limit: limit.id,
    canceled: (await ex.cancelOrderWs(limit.id, symbol)).id,
  }),
)
await ex.close()
