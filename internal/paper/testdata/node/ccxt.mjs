// What ccxt needs of an exchange before it trades, and a trade.
import ccxt from 'ccxt'

const ex = new ccxt.bitvavo({ apiKey: process.env.KEY, secret: process.env.SECRET, options: { operatorId: 1 } })
const host = process.env.REST.replace(/\/v2$/, '')
ex.urls.api.public = ex.urls.api.private = host

const symbol = 'BTC/EUR'
await ex.loadMarkets()
const market = await ex.createOrder(symbol, 'market', 'buy', 0.01)
const limit = await ex.createOrder(symbol, 'limit', 'buy', 0.1, 40000)
console.log(
  JSON.stringify({
    price: ex.markets[symbol].precision.price,
    ticker: await ex.fetchTicker(symbol),
    book: await ex.fetchOrderBook(symbol, 3),
    candles: await ex.fetchOHLCV(symbol, '1h', undefined, 4),
    filled: (await ex.fetchOrder(market.id, symbol)).filled,
    open: (await ex.fetchOpenOrders(symbol)).map((o) => o.id),
    canceled: (await ex.cancelOrder(limit.id, symbol)).id,
    placed: limit.id,
    trades: (await ex.fetchMyTrades(symbol)).length,
    balance: (await ex.fetchBalance()).BTC.total,
    missing: await ex.fetchOrder('nobody', symbol).catch((e) => e.constructor.name),
  }),
)
