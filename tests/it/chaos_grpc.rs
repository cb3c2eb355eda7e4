//! What refuses every call of gRPC with a status, on one connection.

use futures::StreamExt;
use tokio::net::TcpStream;
use tonic::{Request, Response, Status, Streaming};
use wakeful::interactions::grpc::generated::interaction_service_server::{InteractionService, InteractionServiceServer};
use wakeful::interactions::grpc::generated::{InteractionData, InteractionResponse};

struct Refusing(u16);

#[tonic::async_trait]
impl InteractionService for Refusing {
    type StreamInteractionsStream = futures::stream::Empty<Result<InteractionResponse, Status>>;

    async fn stream_interactions(
        &self,
        _: Request<Streaming<InteractionData>>,
    ) -> Result<Response<Self::StreamInteractionsStream>, Status> {
        Err(match self.0 {
            401 => Status::unauthenticated("as told"),
            429 => Status::resource_exhausted("as told"),
            _ => Status::internal("as told"),
        })
    }
}

/// Serves the connection to its end.
pub async fn answer(client: TcpStream, status: u16) {
    let incoming = futures::stream::iter([Ok::<_, std::io::Error>(client)]).chain(futures::stream::pending());
    let service = InteractionServiceServer::new(Refusing(status));
    let served = tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming);
    // The clients close within a moment.
    let _over = tokio::time::timeout(std::time::Duration::from_secs(2), served).await;
}
