"""The chain: names -> balancers -> server pools -> caches -> databases, with what flows and what is narrow.

inputs   what is known of services, engines and hosts, as plain values
graph    nodes, edges and columns from it; flows and marks beside it
reading  the inputs from the database, the picture and the engines' last word
drawing  where everything stands on the picture
"""
