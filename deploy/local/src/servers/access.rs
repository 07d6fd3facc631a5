//! Connects to the local PostgreSQL.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::error::LocalError;

/// The only role of the local cluster.
pub(crate) const USER: &str = "leadstream";

/// The address and credentials of the server.
#[derive(Clone)]
pub(crate) struct Access {
    port: u16,
    password: String,
}

impl Access {
    pub(crate) fn new(port: u16, password: String) -> Self {
        Self { port, password }
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let Self { port, password } = self;
        format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}")
    }

    pub(crate) fn jdbc_url(&self, database: &str) -> String {
        format!("jdbc:postgresql://127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn user(&self) -> &'static str {
        USER
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(USER)
            .password(&self.password)
            .database("postgres");
        PgConnection::connect_with(&options).await
    }

    /// Returns an error if no session can be opened.
    pub(crate) async fn probe(&self) -> Result<(), sqlx::Error> {
        self.connect().await?.close().await
    }

    /// Creates the missing ones of `databases`, whose names are constants of this crate.
    pub(crate) async fn create_databases(
        &self,
        databases: &[&'static str],
    ) -> Result<(), LocalError> {
        let failed = |source| LocalError::Database {
            doing: "create its databases",
            source,
        };
        let mut connection = self.connect().await.map_err(failed)?;
        for &database in databases {
            let there: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
                    .bind(database)
                    .fetch_one(&mut connection)
                    .await
                    .map_err(failed)?;
            if !there {
                let create = format!("CREATE DATABASE {database}");
                sqlx::query(sqlx::AssertSqlSafe(create))
                    .execute(&mut connection)
                    .await
                    .map_err(failed)?;
            }
        }
        connection.close().await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_user_password_port_and_database() {
        let access = Access::new(20_003, "pw".into());
        assert_eq!(
            access.url("leadstream"),
            "postgres://leadstream:pw@127.0.0.1:20003/leadstream"
        );
        assert_eq!(
            access.jdbc_url("registry"),
            "jdbc:postgresql://127.0.0.1:20003/registry"
        );
    }
}
